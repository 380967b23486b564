export type HookProof =
  | { kind: "token"; header: string; prefix: string }
  | {
      kind: "hmac";
      header: string;
      prefix: string;
      digest: "sha1" | "sha256" | "sha512";
      encoding: "hex" | "base64";
    };

export type PickName =
  | "ref"
  | "branch"
  | "tag"
  | "revision"
  | "before"
  | "default_branch"
  | "title"
  | "message"
  | "author"
  | "url"
  | "action"
  | "changed";

/** How a project's generic webhooks are read: who may send them, and what is where in them. */
export interface GenericHook {
  /** Null: each of the usual proofs is taken. */
  proof: HookProof | null;
  /** The header that is the same when the sender tries again. */
  key: string | null;
  /** Paths in the payload; null: under the part's own name. */
  picks: Partial<Record<PickName, string | null>>;
  /** Variables of the run, each with its path. */
  values: Record<string, string>;
  /** Paths, each with the texts that are wanted there. */
  only: Record<string, string[]>;
}

export interface HookTrial {
  body: string;
  content_type: string;
  hook: GenericHook;
}

/** What would be made of a body: an event, or why it starts nothing. */
export interface HookTried {
  event: Record<string, unknown> | null;
  ignored: string | null;
}
