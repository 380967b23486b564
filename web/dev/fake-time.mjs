export function now() {
  return new Date().toISOString();
}

export function ago(ms) {
  return new Date(Date.now() - ms).toISOString();
}
