import type en from "../en/approvals";

const approvals: typeof en = {
  approvals: {
    title: "审批",
    nothing: "没有等待审批的内容",
    nothingHint: "受保护环境的任务和来自复刻仓库的运行会在这里等待决定。",
    noMatch: "没有匹配的审批",
    more: "显示更早的审批",
    asked: "请求于",
    fork: "来自复刻仓库",
    approvers: "由以下人员决定：{names}",
    waiting: "项待审批",
    decided: "{run}：{state}",
  },
};

export default approvals;
