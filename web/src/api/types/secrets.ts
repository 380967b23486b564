/** A secret; its value is told to nobody. */
export interface Secret {
  id: number;
  name: string;
  /** Null: for all projects. */
  project: number | null;
  project_name: string | null;
  author: string | null;
  warnings: string[];
  created_at: string;
  updated_at: string;
}

export interface SecretDraft {
  name: string;
  value: string;
  project: number | null;
}
