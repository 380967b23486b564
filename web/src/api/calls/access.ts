import type { Http } from "../http";
import type { MadeToken, Token, TokenDraft } from "../types";

/** Who may call the server. */
export const accessCalls = (http: Http) => ({
  signInWithToken: (token: string): Promise<{ name: string }> => http.post("/api/sessions", { token }),

  tokens: (): Promise<Token[]> => http.all("/api/tokens"),
  makeToken: (draft: TokenDraft): Promise<MadeToken> => http.post("/api/tokens", draft),
  removeToken: (id: number): Promise<void> => http.delete(`/api/tokens/${id}`),
});
