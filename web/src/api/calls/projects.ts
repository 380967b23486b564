import type { Http } from "../http";
import type { Project, ProjectDraft } from "../types";

/** Projects. */
export const projectCalls = (http: Http) => ({
  projects: (): Promise<Project[]> => http.all("/api/projects"),
  addProject: (draft: ProjectDraft): Promise<Project> => http.post("/api/projects", draft),
  removedProjects: (): Promise<Project[]> => http.all("/api/projects", { removed: 1 }),
  restoreProject: (id: number): Promise<Project> => http.post(`/api/projects/${id}/restore`),
});
