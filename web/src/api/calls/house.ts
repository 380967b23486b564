import type { Http } from "../http";
import type { Archive, Secret, SecretDraft, Session } from "../types";

/** Who is signed in, what jobs get in secret, and how the archive is. */
export const houseCalls = (http: Http) => ({
  session: (): Promise<Session> => http.get("/api/session"),
  signIn: (code: string): Promise<{ name: string }> => http.post("/api/sessions", { code }),
  signOut: (): Promise<void> => http.delete("/api/session"),

  secrets: (project?: number): Promise<Secret[]> => http.all("/api/secrets", { project }),
  setSecret: (draft: SecretDraft): Promise<Secret> => http.post("/api/secrets", draft),
  removeSecret: (id: number): Promise<void> => http.delete(`/api/secrets/${id}`),

  archive: (): Promise<Archive> => http.get("/api/archive"),
});
