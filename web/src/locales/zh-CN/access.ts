import type en from "../en/access";

const access: typeof en = {
  access: {
    title: "令牌",
    explain: "令牌说明是谁在调用：一个人或一个程序。用它所做的一切，以及由它开始的会话中所做的一切，都以它的名称记录。",
    add: "创建令牌",
    name: "名称",
    nameHint: "属于谁，例如 ada 或 release-bot；可用字母、数字和 _ . {'@'} -。",
    role: "角色",
    roles: { admin: "管理员", member: "成员", reader: "读者" },
    may: {
      admin: "一切操作，包括令牌、代理、机密、环境以及移除项目。",
      member: "查看、启动、中止、审批、暂停；修改计划和触发器。不含机密和代理。",
      reader: "只能查看和跟随，不能更改任何内容。",
    },
    life: "有效期",
    lives: { days: "{count} 天", ever: "永久，直到被移除" },
    made: "这是 {name} 的值。它不会被保存，也无法再次显示：",
    value: "令牌",
    done: "完成",
    own: "服务器自己的",
    by: "由 {author} 创建",
    used: "上次使用",
    unused: "从未使用",
    expires: "到期",
    expired: "已过期",
    ever: "不会过期",
    removed: "{name} 已移除。",
    removeHint: "持有者立即失去访问权：由它开始的会话会结束，用它跟随的内容也会停止。用它所做的记录会保留。",
    needs: "需要角色：{role}。",
    signedIn: "已登录：{name}。{may}",
  },
};

export default access;
