import type en from "../en/secrets";

const secrets: typeof en = {
  secrets: {
    title: "机密",
    explain: "任务会以环境变量的形式得到其计划在 secrets: 中列出的机密，其值在日志中会被遮盖。此处无法查看已有的值，只能替换。",
    add: "设置机密",
    replace: "替换 {name} 的值",
    replaceShort: "替换",
    name: "名称",
    nameHint: "由字母、数字和 _ 组成，不以数字开头；即环境变量名。",
    nameWrong: "名称由字母、数字和 _ 组成，且不以数字开头。",
    value: "值",
    valueHint: "多行的值会逐行遮盖。",
    whose: "适用于",
    all: "所有项目",
    empty: "还没有机密",
    emptyHint: "任务需要而不应被任何人看到的令牌、密码或密钥。",
    emptyHere: "没有仅用于此项目的机密",
    updated: "设置于",
    by: "由 {author}",
    warnings: "已保存 {name}，但请注意：",
    saved: "已保存 {name}。",
    removeHint: "列出该机密的任务将在准备阶段失败。此操作无法撤销，值将被删除。",
    removed: "已移除 {name}。",
  },
};

export default secrets;
