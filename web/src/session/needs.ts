import type { ObjectDirective } from "vue";
import { useI18n } from "vue-i18n";
import type { Role, Session } from "../api/types";
import { useSession } from "./store";

/** Each may all that those after it may. */
export const ROLES: readonly Role[] = ["admin", "member", "reader"];

/** Whether who is signed in may do what `needed` may; what we do not know, the server says when it is tried. */
export function may(user: Session | null, needed: Role): boolean {
  return !user?.role || ROLES.indexOf(user.role) <= ROLES.indexOf(needed);
}

/** `v-needs="role"` for buttons that only some may use: to others they are there, do nothing, and say whom they are for. */
export function useNeeds(): ObjectDirective<HTMLButtonElement, Role | undefined> {
  const { t } = useI18n();
  const session = useSession();

  function apply(button: HTMLButtonElement, { value }: { value: Role | undefined }): void {
    if (!value || may(session.user, value)) return;
    button.disabled = true;
    button.title = t("access.needs", { role: t(`access.roles.${value}`) });
  }
  return { mounted: apply, updated: apply };
}
