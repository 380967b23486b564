import { onMounted, onScopeDispose } from "vue";

/** Whether keys are for the page: no dialog is open. */
export function isFree(): boolean {
  return document.querySelector("dialog[open]") === null;
}

/** Single keys, as long as nobody types into a field or a dialog is open. A handler that returns false lets the key be. */
export function useKeys(keys: Record<string, (event: KeyboardEvent) => void | boolean>): void {
  function press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement | null;
    if (target?.closest("input, textarea, select, [contenteditable]") || !isFree()) return;
    const handler = keys[event.key];
    if (handler && handler(event) !== false) event.preventDefault();
  }
  onMounted(() => document.addEventListener("keydown", press));
  onScopeDispose(() => document.removeEventListener("keydown", press));
}
