import {describe, expect, test} from '@jest/globals';
import {Command, InvalidArgumentError} from 'commander';
import fc from 'fast-check';
import {ConfigurationError, listening, parseFlags, parseListenAddress} from './flags.ts';

describe('an address to listen at', () => {
  test.each([
    ['127.0.0.1:9443', {host: '127.0.0.1', port: 9443}],
    ['localhost:0', {host: 'localhost', port: 0}],
    [':8443', {host: undefined, port: 8443}],
    ['[::1]:65535', {host: '::1', port: 65535}],
    ['[fe80::1%eth0]:1', {host: 'fe80::1%eth0', port: 1}],
    ['[::ffff:10.0.0.1]:1', {host: '::ffff:10.0.0.1', port: 1}],
  ])('%s', (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
  });

  test.each([
    '',
    ':',
    '8443',
    'host',
    'host:',
    'host:x',
    'host:-1',
    'host:65536',
    'host:123456',
    '::1:80',
    '[::1]',
    '[]:80',
  ])('%j is none, and the message says what one is', (text) => {
    expect(() => parseListenAddress(text)).toThrow(InvalidArgumentError);
    expect(() => parseListenAddress(text)).toThrow('Want host:port, such as 127.0.0.1:9443');
  });

  test('is read back from what it was written as', () => {
    const port = fc.integer({min: 0, max: 65535});
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV6(), fc.domain(), port, (v4, v6, name, port) => {
        expect(parseListenAddress(`${v4}:${port}`)).toEqual({host: v4, port});
        expect(parseListenAddress(`[${v6}]:${port}`)).toEqual({host: v6, port});
        expect(parseListenAddress(`${name}:${port}`)).toEqual({host: name, port});
      }),
    );
  });
});

test('an address that cannot be listened at is named with its flag', async () => {
  const listen = () => Promise.reject(new Error('listen EADDRINUSE: address already in use'));
  await expect(listening('--listen-address', {host: undefined, port: 8443}, listen)).rejects.toMatchObject({
    name: 'ListenError',
    message: '--listen-address :8443 cannot be listened at: listen EADDRINUSE: address already in use',
  });
  await expect(listening('--metrics-address', {host: 'h', port: 1}, async ({port}) => port)).resolves.toBe(1);
});

describe('flags', () => {
  const program = () => new Command('program').requiredOption('--name <name>').option('--count <n>', '', Number, 3);

  test('are read with their defaults', () => {
    expect(parseFlags(['--name', 'a'], program())).toEqual({name: 'a', count: 3});
  });

  test.each<[string[], string]>([
    [[], "required option '--name <name>' not specified"],
    [['--name'], "option '--name <name>' argument missing"],
    [['--name', 'a', '--other'], "unknown option '--other'"],
    [['--name', 'a', 'b'], 'too many arguments'],
  ])('%j are an error that names the flag', (args, message) => {
    expect(() => parseFlags(args, program())).toThrow(ConfigurationError);
    expect(() => parseFlags(args, program())).toThrow(message);
  });

  test('say nothing by themselves when they cannot be read', () => {
    const write = process.stderr.write;
    const written: string[] = [];
    process.stderr.write = ((text: string) => written.push(text) > 0) as typeof write;
    try {
      expect(() => parseFlags([], program())).toThrow(ConfigurationError);
    } finally {
      process.stderr.write = write;
    }
    expect(written).toEqual([]);
  });

  test('whose reader fails for a reason of its own are no fault of the user', () => {
    const failing = new Command('program').option('--file <file>', '', () => {
      throw new TypeError('a fault of the program');
    });
    expect(() => parseFlags(['--file', 'a'], failing)).toThrow(TypeError);
  });
});
