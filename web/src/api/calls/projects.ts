import { query, type Http } from "../http";
import type { Badge, GenericHook, HookTrial, HookTried, Project, ProjectChange, ProjectDraft } from "../types";

/** Projects, how their generic webhooks are read, and their badges. */
export const projectCalls = (http: Http) => ({
  projects: (): Promise<Project[]> => http.all("/api/projects"),
  project: (id: number): Promise<Project> => http.get(`/api/projects/${id}`),
  addProject: (draft: ProjectDraft): Promise<Project> => http.post("/api/projects", draft),
  changeProject: (id: number, change: ProjectChange): Promise<Project> => http.patch(`/api/projects/${id}`, change),
  removeProject: (id: number): Promise<void> => http.delete(`/api/projects/${id}`),
  removedProjects: (): Promise<Project[]> => http.all("/api/projects", { removed: 1 }),
  restoreProject: (id: number): Promise<Project> => http.post(`/api/projects/${id}/restore`),

  hook: (project: number): Promise<GenericHook> => http.get(`/api/projects/${project}/hook`),
  setHook: (project: number, hook: GenericHook): Promise<GenericHook> =>
    http.put(`/api/projects/${project}/hook`, hook),
  removeHook: (project: number): Promise<void> => http.delete(`/api/projects/${project}/hook`),
  /** What would be made of a body; nothing is kept. */
  tryHook: (project: number, trial: HookTrial): Promise<HookTried> =>
    http.post(`/api/projects/${project}/hook/try`, trial),

  /** Of a plan (its name), or of the whole project; of a branch, or of any. */
  badge: (project: number, plan: string, branch: string): Promise<Badge> =>
    http.get(`/api/badges${query({ project, plan, branch })}`),
});
