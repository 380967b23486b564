import { onMounted, onScopeDispose } from "vue";

/** Single keys, as long as nobody types into a field or a dialog is open. A handler that returns false lets the key be. */
export function useKeys(keys: Record<string, (event: KeyboardEvent) => void | boolean>): void {
  function press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement | null;
    if (target?.closest("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
    const handler = keys[event.key];
    if (handler && handler(event) !== false) event.preventDefault();
  }
  onMounted(() => document.addEventListener("keydown", press));
  onScopeDispose(() => document.removeEventListener("keydown", press));
}
