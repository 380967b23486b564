const projects = {
  project: {
    settings: "Settings",
    webhooks: "Webhooks",
    environments: "Environments",
    badges: "Badges",
    missing: "There is no project {id}, or it was removed.",
    renameHint: "Addresses of webhooks and badges have the name in them: enter them anew where they are used.",
    remove: "Remove this project",
    removeHint: "It starts no more runs. Its runs and logs stay, and it can be restored with its plans.",
  },
  environments: {
    hint: "A job that names an environment waits for what is said here, where no branch can change it. An environment that is not set up asks nothing.",
    add: "Add environment",
    none: "No environments yet",
    noneHint: "Such as production: its jobs wait until somebody approves them.",
    nameHint: "As the plan's jobs name it under environment:",
    waits: "Each job waits for a person",
    waitsNot: "Jobs wait for nobody",
    approvers: "Approvers",
    approversHint: "One name on each line: of tokens, and of who signed in with them. Empty: every member and admin.",
    anybody: "anybody",
    branchesHint: "One pattern on each line, such as main or release/*; of tags refs/tags/v*. Empty: all.",
    allBranches: "all",
    removeHint: "Its jobs wait for nobody from now on. What waits already waits on.",
  },
  badges: {
    hint: "A badge shows in a README how the newest run ended. Its address has a key that is good for this project's badges and for nothing else.",
    branchHint: "Empty: the newest run of any branch.",
    whole: "{name}, all plans",
    picture: "Badge of {name}",
    markdown: "Markdown",
    address: "Address of the picture",
  },
};

export default projects;
