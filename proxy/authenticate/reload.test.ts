import {afterEach, describe, expect, test} from '@jest/globals';
import {stringify} from 'yaml';
import {eventually} from '../../test/eventually.ts';
import type {Authenticator} from './authenticator.ts';
import type {AuthenticationConfiguration} from './configuration.ts';
import {ConfigurationError} from './errors.ts';
import {type ReloadingAuthenticator, reloadingAuthenticator} from './reload.ts';

const good = (url: string) =>
  stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    jwt: [{issuer: {url, audiences: ['a']}, claimMappings: {username: {claim: 'sub'}}}],
  });

const open: ReloadingAuthenticator[] = [];
afterEach(() => {
  for (const authenticator of open.splice(0)) authenticator.close();
});

/** A file in memory, and an authenticator that says which configuration answered. */
async function world(text: string) {
  const state = {text: text as string | Error, reloads: [] as string[], errors: [] as string[], looks: 0};
  const authenticator = await reloadingAuthenticator({
    readFile: async () => {
      state.looks++;
      if (state.text instanceof Error) throw state.text;
      return state.text;
    },
    serviceAccountIssuer: undefined,
    intervalMilliseconds: 1,
    create: (configuration: AuthenticationConfiguration): Authenticator => ({
      authenticate: () => {
        throw new Error(configuration.jwt[0]?.issuer.url);
      },
    }),
    reloaded: (result) => state.reloads.push(result),
    log: {info: () => {}, error: (message) => state.errors.push(message)},
  });
  open.push(authenticator);
  return {state, authenticator, answers: (url: string) => expect(() => authenticator.authenticate('')).toThrow(url)};
}

describe('the configuration file', () => {
  test('is followed when it changes', async () => {
    const {state, answers} = await world(good('https://a.example.com'));
    answers('https://a.example.com');
    state.text = good('https://b.example.com');
    await eventually(() => expect(state.reloads).toEqual(['Applied']));
    answers('https://b.example.com');
  });

  test('is kept as it was last good, and its error is told once', async () => {
    const {state, answers} = await world(good('https://a.example.com'));
    state.text = 'jwt: []';
    await eventually(() => expect(state.reloads).toEqual(['Rejected']));
    const looks = state.looks;
    await eventually(() => expect(state.looks).toBeGreaterThan(looks + 3));
    expect(state.reloads).toEqual(['Rejected']);
    expect(state.errors).toEqual([expect.stringContaining('jwt: must list at least one issuer')]);
    answers('https://a.example.com');
  });

  test('may be gone for a while', async () => {
    const {state, answers} = await world(good('https://a.example.com'));
    state.text = new Error('ENOENT');
    await eventually(() => expect(state.errors).toEqual([expect.stringContaining('ENOENT')]));
    answers('https://a.example.com');
    state.text = good('https://b.example.com');
    await eventually(() => answers('https://b.example.com'));
  });

  test('must be good at first', async () => {
    await expect(world('jwt: []')).rejects.toBeInstanceOf(ConfigurationError);
  });

  test('is left alone after close', async () => {
    const {state, authenticator} = await world(good('https://a.example.com'));
    await eventually(() => expect(state.looks).toBeGreaterThan(2));
    authenticator.close();
    const looks = state.looks;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(state.looks).toBeLessThanOrEqual(looks + 1);
  });
});
