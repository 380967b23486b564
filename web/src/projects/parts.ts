/** The pages of a project, below its address. */
export const PARTS = [
  { to: "", name: "project.settings" },
  { to: "/webhooks", name: "project.webhooks" },
  { to: "/environments", name: "project.environments" },
  { to: "/badges", name: "project.badges" },
] as const;
