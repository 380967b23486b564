/** Who sends webhooks. */
export const SENDERS = ["github", "gitlab", "gitea", "generic"] as const;
export type Sender = (typeof SENDERS)[number];

/** A field of a forge's form, by the name that it has there, and what to enter. */
export interface Entry {
  field: string;
  /** Typed as it stands; else a message, below `hooks.enter`. */
  text?: string;
  say?: "address" | "secret" | "secretOrSigning";
}

/** What a forge's form wants, in its order; `place` is where the form is. */
export const GUIDES: Record<Exclude<Sender, "generic">, { place: string; entries: readonly Entry[] }> = {
  github: {
    place: "Settings → Webhooks → Add webhook",
    entries: [
      { field: "Payload URL", say: "address" },
      { field: "Content type", text: "application/json" },
      { field: "Secret", say: "secret" },
      { field: "Events", text: "Pushes, Pull requests; for plans that follow workflows also Workflow runs, Workflow jobs" },
    ],
  },
  gitlab: {
    place: "Settings → Webhooks → Add new webhook",
    entries: [
      { field: "URL", say: "address" },
      { field: "Secret token", say: "secretOrSigning" },
      { field: "Trigger", text: "Push events, Tag push events, Merge request events" },
    ],
  },
  gitea: {
    place: "Settings → Webhooks → Add Webhook → Gitea / Forgejo",
    entries: [
      { field: "Target URL", say: "address" },
      { field: "HTTP Method", text: "POST" },
      { field: "POST Content Type", text: "application/json" },
      { field: "Secret", say: "secret" },
      { field: "Trigger On", text: "Push, Delete, Pull Request, Pull Request Synchronized" },
    ],
  },
};

export function addressOf(base: string, sender: Sender, project: string): string {
  return `${base.replace(/\/$/, "")}/hooks/${sender}/${encodeURIComponent(project)}`;
}

/** Whether only this machine reaches an address. */
export function isLoopback(base: string): boolean {
  const { hostname } = new URL(base);
  return hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname) || hostname === "0.0.0.0";
}
