import type { Credentials } from "../api/types";

/** What is written in the fields. */
export interface CredentialsDraft {
  secret: string;
  user: string;
  knownHosts: string;
}

export function draftOf(credentials?: Credentials | null): CredentialsDraft {
  return {
    secret: credentials?.secret ?? "",
    user: credentials?.user ?? "",
    knownHosts: credentials?.known_hosts ?? "",
  };
}

/** What is asked for with these fields; null: nothing opens the repository. What an address has no use for is not sent. */
export function credentialsOf(draft: CredentialsDraft, repository: string): Credentials | null {
  const secret = draft.secret.trim();
  if (!secret) return null;
  const user = draft.user.trim();
  if (isSsh(repository)) return draft.knownHosts.trim() ? { secret, known_hosts: draft.knownHosts } : { secret };
  return user ? { secret, user } : { secret };
}

/** Whether a repository at this address is opened by a key: ssh://, svn+ssh://, or git's short form user@host:path. */
export function isSsh(repository: string): boolean {
  const address = repository.trim();
  return address.includes("://") ? /^(svn\+)?ssh:/.test(address) : !address.startsWith("/") && address.includes(":");
}

/** Whether a password or a token stands in an address, as it is shown or as it is written. */
export function hasLogin(repository: string): boolean {
  return !isSsh(repository) && /:\/\/[^/]*@/.test(repository);
}
