"""`tailrace`: the commands together."""

from __future__ import annotations

import os
import sys
from typing import Literal

from cyclopts import App

from tailrace import __version__
from tailrace.cli.agent import agent, agent_token
from tailrace.cli.agents import (
    allow_agent,
    drain_agent,
    list_agents,
    list_changes,
    pause_agent,
    relabel_agent,
    remove_agent,
    rename_agent,
    resume_agent,
    show_agent,
)
from tailrace.cli.approvals import approve, list_approvals, reject
from tailrace.cli.artifacts import get_artifacts, list_artifacts
from tailrace.cli.deliveries import list_deliveries, replay_deliveries, show_delivery
from tailrace.cli.environments import list_environments, remove_environment, set_environment
from tailrace.cli.exec import exec_plan
from tailrace.cli.hooks import project_hook
from tailrace.cli.labels import list_labels, protect_label, unprotect_label
from tailrace.cli.login_link import login_link
from tailrace.cli.logs import logs
from tailrace.cli.notify import (
    add_channel,
    add_rule,
    disable_channel,
    enable_channel,
    list_channels,
    list_notifications,
    list_rules,
    remove_channel,
    remove_rule,
    retry_notification,
    show_badge,
    try_channel,
)
from tailrace.cli.out import ReaderGone
from tailrace.cli.plan_versions import (
    diff_plan,
    edit_plan,
    list_versions,
    remove_plan,
    restore_plan,
    show_plan,
)
from tailrace.cli.plans import add_plan, check_plan, list_plans, show_schema
from tailrace.cli.projects import add_project, edit_project, list_projects, remove_project, restore_project
from tailrace.cli.queue import list_pauses, pause_queue, resume_queue
from tailrace.cli.retention import retention
from tailrace.cli.run import abort, rerun, retry, run, runs
from tailrace.cli.search import search
from tailrace.cli.secrets import list_secrets, remove_secret, set_secret
from tailrace.cli.serve import server
from tailrace.cli.triggers import (
    add_trigger,
    change_trigger,
    check_trigger,
    disable_trigger,
    enable_trigger,
    list_triggers,
    remove_trigger,
    show_trigger,
)
from tailrace.cli.up import up
from tailrace.cli.verify import verify
from tailrace.domain.errors import TailraceError

app = App(
    name="tailrace",
    version=__version__,
    help="A self-hosted CI/CD system in which every log is live.",
)
app.command(up)
app.command(server)
app.command(agent)
app.command(exec_plan, name="exec")
app.command(run)
app.command(runs)
app.command(logs)
app.command(search)
app.command(abort)
app.command(rerun)
app.command(retry)
app.command(verify)
app.command(retention)
app.command(login_link, name="login-link")
app.command(agent_token, name="agent-token")

agents = App(name="agents", help="The agents: listed, and told what they are for.")
agents.default(list_agents)
agents.command(list_agents, name="list")
agents.command(show_agent, name="show")
agents.command(pause_agent, name="pause")
agents.command(drain_agent, name="drain")
agents.command(resume_agent, name="resume")
agents.command(rename_agent, name="rename")
agents.command(relabel_agent, name="relabel")
agents.command(allow_agent, name="allow")
agents.command(remove_agent, name="remove")
agents.command(list_changes, name="changes")
app.command(agents)

approvals = App(name="approvals", help="What waits for a person.")
approvals.default(list_approvals)
approvals.command(list_approvals, name="list")
approvals.command(approve, name="approve")
approvals.command(reject, name="reject")
app.command(approvals)

environment = App(name="environment", help="Where jobs deploy to, and who says whether they may.")
environment.command(set_environment, name="set")
environment.command(list_environments, name="list")
environment.command(remove_environment, name="remove")
app.command(environment)

artifacts = App(name="artifacts", help="The files that jobs keep.")
artifacts.command(list_artifacts, name="list")
artifacts.command(get_artifacts, name="get")
app.command(artifacts)

labels = App(name="labels", help="Labels that only some projects may use.")
labels.default(list_labels)
labels.command(list_labels, name="list")
labels.command(protect_label, name="protect")
labels.command(unprotect_label, name="unprotect")
app.command(labels)

queue = App(name="queue", help="The queue of attempts: what is paused.")
queue.default(list_pauses)
queue.command(list_pauses, name="list")
queue.command(pause_queue, name="pause")
queue.command(resume_queue, name="resume")
app.command(queue)

project = App(name="project", help="Repositories and what belongs to them.")
project.command(add_project, name="add")
project.command(list_projects, name="list")
project.command(edit_project, name="edit")
project.command(remove_project, name="remove")
project.command(project_hook, name="hook")
project.command(restore_project, name="restore")
app.command(project)

plan = App(name="plan", help="What to run.")
plan.command(add_plan, name="add")
plan.command(list_plans, name="list")
plan.command(show_plan, name="show")
plan.command(edit_plan, name="edit")
plan.command(list_versions, name="versions")
plan.command(diff_plan, name="diff")
plan.command(remove_plan, name="remove")
plan.command(restore_plan, name="restore")
plan.command(check_plan, name="check")
plan.command(show_schema, name="schema")
app.command(plan)

trigger = App(name="trigger", help="What starts runs of plans.")
trigger.command(add_trigger, name="add")
trigger.command(list_triggers, name="list")
trigger.command(show_trigger, name="show")
trigger.command(change_trigger, name="change")
trigger.command(enable_trigger, name="enable")
trigger.command(disable_trigger, name="disable")
trigger.command(check_trigger, name="check")
trigger.command(remove_trigger, name="remove")
app.command(trigger)

delivery = App(name="delivery", help="Webhooks as they came.")
delivery.command(list_deliveries, name="list")
delivery.command(show_delivery, name="show")
delivery.command(replay_deliveries, name="replay")
app.command(delivery)

secret = App(name="secret", help="What jobs get and logs hide.")
secret.command(set_secret, name="set")
secret.command(list_secrets, name="list")
secret.command(remove_secret, name="remove")
app.command(secret)

notify = App(name="notify", help="Channels, rules, and what was sent.")
notify.default(list_notifications)
notify.command(list_notifications, name="list")
notify.command(retry_notification, name="retry")
notify.command(list_channels, name="channels")
notify.command(add_channel, name="add-channel")
notify.command(try_channel, name="test")
notify.command(enable_channel, name="enable")
notify.command(disable_channel, name="disable")
notify.command(remove_channel, name="remove-channel")
notify.command(list_rules, name="rules")
notify.command(add_rule, name="add-rule")
notify.command(remove_rule, name="remove-rule")
notify.command(show_badge, name="badge")
app.command(notify)


@app.command
def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print a script that completes this program's commands and flags: bash: source it; zsh, fish: save it where they look.

    Parameters
    ----------
    shell:
        Whose script.
    """
    print(app.generate_completion(prog_name="tailrace", shell=shell))


def main() -> None:
    """Run the command that the arguments name; its exit status: 0 well, 1 failed, 2 wrong usage or settings."""
    try:
        status = app(sys.argv[1:], exit_on_error=True, result_action="return_value")
        sys.stdout.flush()
    except ModuleNotFoundError as error:
        if (error.name or "tailrace").startswith("tailrace"):
            raise
        print(
            f"tailrace: this command needs the server's parts, and {error.name} is not installed:"
            " pip install 'tailrace[server]'",
            file=sys.stderr,
        )
        sys.exit(2)
    except TailraceError as error:
        print(f"tailrace: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except (BrokenPipeError, ReaderGone):
        # Whoever read our output has gone. What is buffered goes nowhere, also when Python flushes it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    sys.exit(status if isinstance(status, int) else 0)
