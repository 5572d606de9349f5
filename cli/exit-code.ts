/** What every command's exit code means; `seawall help` prints this. */
export const EXIT = {
  ok: 0,
  /** The answer is no, or what was asked for could not be done: refused, unhealthy, a step that failed, a server that cannot start. */
  no: 1,
  /** The command line or the input is wrong: nothing was tried. */
  usage: 2,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_CODE_HELP = `Exit codes:
  0  done; the answer is yes
  1  the answer is no, or it could not be done (refused, unhealthy, a step failed, a server could not start)
  2  the command line or the input is wrong`;
