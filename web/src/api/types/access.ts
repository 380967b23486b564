/** What a token may do: everything; the daily work; look and watch. */
export type Role = "admin" | "member" | "reader";

/** Who may call, without the value. `author` null: the server's own. */
export interface Token {
  id: number;
  name: string;
  role: Role;
  author: string | null;
  created_at: string;
  used_at: string | null;
  expires_at: string | null;
}

/** `life_s`: seconds for which it is good; null: until it is removed. */
export interface TokenDraft {
  name: string;
  role: Role;
  life_s: number | null;
}

/** With its value, which cannot be shown again. */
export type MadeToken = Token & { token: string };

