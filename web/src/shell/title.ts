import { watchEffect } from "vue";

/** What the tab says, for as long as the page is shown. */
export function useTitle(title: () => string): void {
  watchEffect(() => {
    document.title = `${title()} · Tailrace`;
  });
}
