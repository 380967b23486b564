export interface Project {
  id: number;
  name: string;
  repository: string;
  has_webhook_secret: boolean;
  created_at: string;
  removed_at?: string | null;
}

export interface ProjectDraft {
  name: string;
  repository: string;
  webhook_secret?: string;
}

/** What is left out stays; a null secret is taken away. */
export interface ProjectChange {
  name?: string;
  repository?: string;
  webhook_secret?: string | null;
}

/** A picture of how the newest run ended, which anybody who has its address can see. */
export interface Badge {
  url: string;
  markdown: string;
}
