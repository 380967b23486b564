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
    removeHint: "正在进行的运行会被中止，之后不再启动运行。其运行和日志会保留，并且可以连同计划一起恢复。",
  },
  credentials: {
    secret: "用于打开仓库的机密",
    hint: "仓库需要密码或令牌时，填写保存它的机密名称。留空：不需要。",
    keyHint: "保存 SSH 私钥（无口令，例如部署密钥）的机密名称。留空：使用各机器用户自己的密钥。",
    inAddress: "地址中含有密码或令牌，未加密保存。建议：设置机密，在此填写其名称，并从地址中删去密码。",
    notSet: "{name} 尚未设置：在设置之前，运行会等待。",
    user: "用户",
    userHint: "密码所属的用户。代码托管平台的令牌不需要，或用其规定的名称（oauth2、x-token-auth）；Subversion 总是需要。",
    knownHosts: "已知主机",
    knownHostsHint: "ssh-keyscan 输出的主机公钥。留空：首次连接时信任，之后必须保持不变。",
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
