import type { GenericHook, HookProof, PickName } from "../api/types";

/** The parts of an event that can be picked: what it is of, then what people read. */
export const PICKS: readonly PickName[] = [
  ...(["ref", "branch", "tag", "revision", "before", "default_branch"] as const),
  ...(["title", "message", "author", "url", "action", "changed"] as const),
];

/** Where the server says what is wrong with a proof: its kind stands in the path. */
export const PROOF_FAULTS = ["header", "prefix"].flatMap(proofFaults);

export function proofFaults(field: string): string[] {
  return ["token", "hmac"].map((kind) => `proof.${kind}.${field}`);
}

/** A hook as a form holds it. */
export interface HookForm {
  proof: "any" | "token" | "hmac";
  header: string;
  prefix: string;
  digest: "sha1" | "sha256" | "sha512";
  encoding: "hex" | "base64";
  key: string;
  picks: Record<PickName, string>;
  values: Pair[];
  /** `right` has a text on each line. */
  only: Pair[];
}

/** Two texts that belong together: a name and a path, or a path and what is wanted there. */
export interface Pair {
  left: string;
  right: string;
}

export function formOf(hook: GenericHook): HookForm {
  const { proof } = hook;
  return {
    proof: proof?.kind ?? "any",
    header: proof?.header ?? "",
    prefix: proof?.prefix ?? "",
    digest: proof?.kind === "hmac" ? proof.digest : "sha256",
    encoding: proof?.kind === "hmac" ? proof.encoding : "hex",
    key: hook.key ?? "",
    picks: Object.fromEntries(PICKS.map((name) => [name, hook.picks[name] ?? ""])) as Record<PickName, string>,
    values: Object.entries(hook.values).map(([left, right]) => ({ left, right })),
    only: Object.entries(hook.only).map(([left, texts]) => ({ left, right: texts.join("\n") })),
  };
}

/** What is empty is left out: the usual names and proofs serve then. */
export function hookOf(form: HookForm): GenericHook {
  const filled = (pairs: readonly Pair[]): Pair[] => pairs.filter(({ left, right }) => left.trim() || right.trim());
  return {
    proof: proofOf(form),
    key: form.key.trim() || null,
    picks: Object.fromEntries(PICKS.map((name) => [name, form.picks[name].trim()]).filter(([, path]) => path)),
    values: Object.fromEntries(filled(form.values).map(({ left, right }) => [left.trim(), right.trim()])),
    only: Object.fromEntries(
      filled(form.only).map(({ left, right }) => [left.trim(), right.split("\n").filter(Boolean)]),
    ),
  };
}

function proofOf({ proof, header, prefix, digest, encoding }: HookForm): HookProof | null {
  const where = { header: header.trim(), prefix };
  if (proof === "any") return null;
  return proof === "token" ? { kind: "token", ...where } : { kind: "hmac", ...where, digest, encoding };
}
