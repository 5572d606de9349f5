import { ElectedLeadership } from "../leadership.ts";

/** An election that a test decides. */
export class Election {
  #leading: boolean;
  readonly leadership = new ElectedLeadership(() => this.#leading);

  constructor(leading: boolean) {
    this.#leading = leading;
  }

  decide(leading: boolean): void {
    this.#leading = leading;
    this.leadership.changed();
  }
}
