import type { Agenda } from "./agenda.ts";

/** A machine with clocks of its own. A reboot begins `mono` anew; a leap moves `wall` alone. */
export interface Machine {
  readonly name: string;
  bootedAt: number;
  wallOffset: number;
}

/** The simulated 24 November 2026, 00:00 UTC. */
export const WALL_START = Date.UTC(2026, 10, 24);

export const machineOf = (name: string): Machine => ({ name, bootedAt: -5_000, wallOffset: 0 });

/**
 * One life of a process, from its start to its end. Every port call passes `touch`: there it may be killed, and a dead life's calls
 * have no effect and no answer, just as code after a SIGKILL does not run. What it had begun with the kernel or a disk stays.
 */
export class Life {
  readonly name: string;
  readonly machine: Machine;
  alive = true;
  calls = 0;
  /** Timers that wait; their number is bounded (I25). */
  timers = 0;
  private killIn = -1;
  private readonly agenda: Agenda;
  private readonly phase: number;
  private readonly onDeath: (life: Life) => void;
  private readonly deaths = new Set<() => void>();

  constructor(name: string, machine: Machine, agenda: Agenda, phase: number, onDeath: (life: Life) => void) {
    this.name = name;
    this.machine = machine;
    this.agenda = agenda;
    this.phase = phase;
    this.onDeath = onDeath;
  }

  /** Dies at the `count`th port call from now. */
  killAtCall(count: number): void {
    this.killIn = count;
  }

  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.onDeath(this);
    for (const told of this.deaths) told();
  }

  /** The result takes the wish back. */
  atDeath(told: () => void): () => void {
    this.deaths.add(told);
    return () => void this.deaths.delete(told);
  }

  /** A point at which the process may be killed. Returns whether it still lives. */
  touch(): boolean {
    if (!this.alive) return false;
    this.calls++;
    if (this.killIn >= 0 && this.killIn-- === 0) this.kill();
    return this.alive;
  }

  readonly mono = (): number => this.agenda.now() - this.machine.bootedAt;
  readonly wall = (): number => WALL_START + Math.floor(this.agenda.now()) + this.machine.wallOffset;

  readonly after = (millis: number, run: () => void): (() => void) => {
    if (!this.alive) return () => {};
    this.timers++;
    let waits = true;
    const done = () => {
      if (waits) this.timers--;
      waits = false;
    };
    const cancel = this.agenda.timer(millis, this.phase, () => {
      done();
      if (this.alive) run();
    });
    return () => {
      done();
      cancel();
    };
  };

  /** Resolves exactly then, unless the process has died by then: then never. */
  exactly(millis: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.alive) this.agenda.in(millis, () => this.alive && resolve());
    });
  }

  /** The answer of a port call that takes no time worth simulating. */
  answer<T>(value: T): Promise<T> {
    return this.touch() ? Promise.resolve(value) : new Promise<T>(() => {});
  }
}
