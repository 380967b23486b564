import type { Messages } from "../en";
import access from "./access";
import agents from "./agents";
import approvals from "./approvals";
import console from "./console";
import deliveries from "./deliveries";
import hooks from "./hooks";
import notifications from "./notifications";
import plans from "./plans";
import projects from "./projects";
import runs from "./runs";
import secrets from "./secrets";
import shell from "./shell";
import states from "./states";
import triggers from "./triggers";

const zhCN: Messages = {
  ...shell,
  ...states,
  ...runs,
  ...console,
  ...plans,
  ...projects,
  ...approvals,
  ...hooks,
  ...triggers,
  ...deliveries,
  ...notifications,
  ...secrets,
  ...agents,
  ...access,
};

export default zhCN;
