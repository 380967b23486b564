/** A run that a delivery made, as people call it. */
export interface RunName {
  id: number;
  name: string;
}

/** The runs of a delivery, or of a replay. */
export function runsOf(made: { project_name: string; runs: readonly number[]; run_numbers: readonly number[] }): RunName[] {
  return made.runs.map((id, at) => ({ id, name: `${made.project_name} #${made.run_numbers[at]}` }));
}
