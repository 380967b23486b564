/** What opens a repository: the name of a secret, and who it belongs to or what its machine is known by. */
export interface Credentials {
  secret: string;
  user?: string | null;
  known_hosts?: string | null;
}

export interface Project {
  id: number;
  name: string;
  repository: string;
  credentials?: Credentials | null;
  has_webhook_secret: boolean;
  created_at: string;
  removed_at?: string | null;
}

export interface ProjectDraft {
  name: string;
  repository: string;
  webhook_secret?: string;
  credentials?: Credentials;
}

/** What is left out stays; a null secret is taken away, and so are credentials. */
export interface ProjectChange {
  name?: string;
  repository?: string;
  webhook_secret?: string | null;
  credentials?: Credentials | null;
}

/** A picture of how the newest run ended, which anybody who has its address can see. */
export interface Badge {
  url: string;
  markdown: string;
}
