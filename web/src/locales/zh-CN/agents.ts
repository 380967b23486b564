import type en from "../en/agents";

const agents: typeof en = {
  agents: {
    title: "代理",
    labels: "标签",
    busyOf: "已占用 {busy} / {capacity} 个位置",
    machine: "机器",
    processors: "{count} 个处理器",
    memory: "内存 {size}",
    disk: "磁盘 {size}",
    notToldYet: "尚未告知",
    tools: "工具",
    load: "负载",
    wanting: "{count} 个进程需要运行",
    wantingHint: "最近一分钟的平均值",
    overloaded: "超过处理器数量",
    memoryFree: "空闲内存 {size}",
    diskFree: "空闲磁盘 {size}",
    address: "地址",
    version: "版本",
    seen: "最近在线",
    trouble: "故障",
    standing: { active: "接受任务", paused: "已暂停", draining: "正在排空", drained: "已排空" },
    by: "操作者：{who}",
    actions: { active: "恢复", paused: "暂停", draining: "排空" },
    ask: { active: "恢复 {name}？", paused: "暂停 {name}？", draining: "排空 {name}？" },
    explain: {
      active: "它将重新得到任务。",
      paused: "在有人恢复它之前，它不再得到新任务。正在执行的任务会继续。",
      draining: "它即将下线，不再得到新任务。正在执行的任务会继续；全部结束后即为已排空。",
    },
    why: "理由（其他人可见）",
    now: "{name}：{standing}",
    history: "变更记录",
    historyOf: "{name} 的变更记录",
    noHistory: "还没有人更改过它。",
    older: "显示更早的变更",
    empty: "还没有代理",
    emptyHint: "代理主动连接到此服务器并执行任务。`tailrace up` 会自带一个。",
  },
};

export default agents;
