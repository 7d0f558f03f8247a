import type {Agent} from '../../core/request/agent.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** What a token says of its bearer, once mapped. */
export type Identity = Pick<Agent, 'username' | 'uid' | 'groups' | 'extra' | 'serviceAccount'>;
