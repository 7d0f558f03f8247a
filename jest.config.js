/** Node runs the TypeScript sources as they are: nothing is transformed. */
const project = {
  transform: {},
  extensionsToTreatAsEsm: ['.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.lockkeeper/'],
};

/** Projects, so that only the tests that use the shared cluster start it. */
export default {
  projects: [
    {
      ...project,
      displayName: 'unit',
      testMatch: ['<rootDir>/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/(cluster|integration|node|e2e|clients)/'],
    },
    {
      ...project,
      displayName: 'cluster',
      testMatch: ['<rootDir>/test/cluster/**/*.test.ts'],
    },
    {
      ...project,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/e2e/**/*.test.ts'],
    },
    {
      ...project,
      displayName: 'clients',
      testMatch: ['<rootDir>/test/clients/**/*.test.ts'],
      globalSetup: '<rootDir>/test/clients/setup.ts',
    },
    {
      ...project,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/integration/**/*.test.ts'],
      globalSetup: '<rootDir>/test/cluster/shared-setup.ts',
      globalTeardown: '<rootDir>/test/cluster/shared-teardown.ts',
    },
    {
      ...project,
      displayName: 'node',
      testMatch: ['<rootDir>/test/node/**/*.test.ts'],
      globalSetup: '<rootDir>/test/cluster/node/shared-setup.ts',
      globalTeardown: '<rootDir>/test/cluster/node/shared-teardown.ts',
    },
  ],
};
