import type { Channel, ChannelKind, ChannelSettings } from "../api/types";

/** A setting as a form asks for it; a list has an item on each line. */
export interface FieldSpec {
  name: string;
  type: "text" | "number" | "list" | "security";
  needed?: boolean;
  usual?: string;
  example?: string;
}

export interface KindSpec {
  fields: readonly FieldSpec[];
  /** `label` names what people read where it is not that of every secret of the name. */
  secrets: readonly { name: string; label?: string; needed?: boolean; example?: string }[];
  /** Tells a forge the state of each job of a project's runs; the others carry messages that rules ask for. */
  forge?: boolean;
}

const FORGE_TOKEN = { name: "token", needed: true };
const ROBOT = { fields: [], secrets: [{ name: "url", needed: true }] };
const repository = (example: string): FieldSpec => ({ name: "repository", type: "text", needed: true, example });

export const CHANNELS: Record<ChannelKind, KindSpec> = {
  email: {
    fields: [
      { name: "host", type: "text", needed: true, example: "mail.example.org" },
      { name: "port", type: "number", needed: true, usual: "587" },
      { name: "security", type: "security", usual: "starttls" },
      { name: "user", type: "text" },
      { name: "sender", type: "text", needed: true, example: "ci@example.org" },
      { name: "to", type: "list", needed: true, example: "team@example.org" },
    ],
    secrets: [{ name: "password" }],
  },
  slack: ROBOT,
  teams: ROBOT,
  telegram: {
    fields: [
      { name: "chat", type: "text", needed: true, example: "@team" },
      { name: "api", type: "text", needed: true, usual: "https://api.telegram.org" },
    ],
    secrets: [{ name: "token", needed: true }],
  },
  discord: ROBOT,
  dingtalk: { fields: [], secrets: [{ name: "url", needed: true }, { name: "sign" }] },
  wecom: ROBOT,
  feishu: { fields: [], secrets: [{ name: "url", needed: true }, { name: "sign" }] },
  webhook: {
    fields: [{ name: "url", type: "text", needed: true, example: "https://example.org/hook" }],
    secrets: [{ name: "key", needed: true, example: "whsec_…" }],
  },
  apprise: { fields: [], secrets: [{ name: "url", label: "appriseUrl", needed: true, example: "ntfys://ntfy.sh/…" }] },
  github: {
    fields: [
      repository("owner/name"),
      { name: "api", type: "text", needed: true, usual: "https://api.github.com" },
    ],
    secrets: [FORGE_TOKEN],
    forge: true,
  },
  gitlab: {
    fields: [
      repository("group/project"),
      { name: "api", type: "text", needed: true, usual: "https://gitlab.com" },
    ],
    secrets: [FORGE_TOKEN],
    forge: true,
  },
  gitea: {
    fields: [repository("owner/name"), { name: "api", type: "text", needed: true, example: "https://git.example.org" }],
    secrets: [FORGE_TOKEN],
    forge: true,
  },
};
export const CHANNEL_KINDS = Object.keys(CHANNELS) as ChannelKind[];

export function isForge(kind: ChannelKind): boolean {
  return CHANNELS[kind].forge ?? false;
}

/** The fields of a kind as text: those of a channel that is there, else the usual ones. */
export function fieldsOf(kind: ChannelKind, settings: ChannelSettings | null): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const { name, usual } of [...CHANNELS[kind].fields, { name: "template", usual: "" }]) {
    const value = settings?.[name];
    fields[name] = Array.isArray(value) ? value.join("\n") : String((settings ? value : usual) ?? "");
  }
  return fields;
}

/** What is empty is left out: the server has its own words for it. */
export function channelSettings(kind: ChannelKind, fields: Record<string, string>): ChannelSettings {
  const settings: ChannelSettings = { kind };
  for (const { name, type } of CHANNELS[kind].fields) {
    const text = (fields[name] ?? "").trim();
    if (text === "") continue;
    if (type === "number") settings[name] = Number(text);
    else if (type === "list") settings[name] = text.split(/[\n,]/).map((item) => item.trim()).filter(Boolean);
    else settings[name] = text;
  }
  const template = fields["template"] ?? "";
  if (!isForge(kind) && template.trim()) settings["template"] = template;
  return settings;
}

/** The secrets that were typed; null where there are none, so that those that are kept stay. */
export function typedSecrets(typed: Record<string, string>): Record<string, string> | null {
  const said = Object.entries(typed).filter(([, value]) => value !== "");
  return said.length > 0 ? Object.fromEntries(said) : null;
}

/** What a list shows of where a channel leads. */
export function leadsTo({ settings }: Channel): string {
  for (const name of ["to", "chat", "repository", "url"]) {
    const value = settings[name];
    if (Array.isArray(value)) return value.join(", ");
    if (value) return String(value);
  }
  return "";
}
