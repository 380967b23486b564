/** The fragment of a sign-in link, "#code=…&next=/runs/1"; a fragment never reaches a server's or proxy's log. */
export function parseSignInLink(hash: string): { code: string | null; next: string } {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  return { code: fields.get("code"), next: safeNext(fields.get("next")) };
}

/** A path on this server; anything that could lead elsewhere becomes "/". */
export function safeNext(next: string | null | undefined): string {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith("/login") ? next : "/";
}
