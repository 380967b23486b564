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
