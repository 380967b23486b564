const SHOWN = new Set(["css", "csv", "gif", "htm", "html", "jpeg", "jpg", "json", "log", "md", "pdf", "png", "svg", "txt", "webp", "xml"]);

/** Whether a browser shows such a file; anything else is downloaded. */
export function shownInPlace(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return dot > 0 && SHOWN.has(name.slice(dot + 1).toLowerCase());
}
