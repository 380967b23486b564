import type en from "../en/projects";

const projects: typeof en = {
  project: {
    settings: "设置",
    webhooks: "Webhook",
    environments: "环境",
    badges: "徽章",
    missing: "没有项目 {id}，或它已被移除。",
    renameHint: "Webhook 与徽章的地址包含项目名称：改名后请在使用处重新填写。",
    remove: "移除此项目",
    removeHint: "它不再启动运行。其运行和日志会保留，并且可以连同计划一起恢复。",
  },
  environments: {
    hint: "指定了环境的任务须满足这里的要求，任何分支都无法更改。未设置的环境没有任何要求。",
    add: "添加环境",
    none: "还没有环境",
    noneHint: "例如 production：其任务会等待有人批准。",
    nameHint: "与计划中任务的 environment: 一致",
    waits: "每个任务都等待人工批准",
    waitsNot: "任务无需等待批准",
    approvers: "审批人",
    approversHint: "每行一个名称：令牌的名称，以及用它登录者的名称。留空则所有成员和管理员都可以。",
    anybody: "任何人",
    branchesHint: "每行一个模式，例如 main 或 release/*；标签写作 refs/tags/v*。留空则为全部。",
    allBranches: "全部",
    removeHint: "此后其任务无需等待批准。已在等待的仍会继续等待。",
  },
  badges: {
    hint: "徽章在 README 中显示最近一次运行的结果。其地址中的密钥只对此项目的徽章有效。",
    branchHint: "留空则为任意分支的最近一次运行。",
    whole: "{name}，所有计划",
    picture: "{name} 的徽章",
    markdown: "Markdown",
    address: "图片地址",
  },
};

export default projects;
