// The configuration of jest for each of the suites: the packages import one another's sources, and types are not checked.
const fs = require('node:fs')
const path = require('node:path')

const root = process.env.SUITE_ROOT
const own = path.join(root, 'jest.setup.ts')
const sequencer = path.join(root, 'test/testSequencer.js')
const packages = path.join(__dirname, 'packages')

module.exports = {
  rootDir: root,
  testEnvironment: 'node',
  testTimeout: 30000,
  prettierPath: require.resolve('prettier'),
  transform: {
    '^.+\\.tsx?$': [
      'ts-jest',
      {
        diagnostics: false,
        tsconfig: {
          module: 'CommonJS', moduleResolution: 'Node', target: 'ES2022', lib: ['es2022', 'dom'], strict: true, esModuleInterop: true,
          skipLibCheck: true, importHelpers: true, isolatedModules: true,
        },
      },
    ],
  },
  moduleNameMapper: {
    '^@supabase/(auth|functions|postgrest|realtime|storage)-js$': path.join(packages, 'core/$1-js/src/index.ts'),
    '^@supabase/tracing$': path.join(packages, 'shared/tracing/src/index.ts'),
  },
  setupFilesAfterEnv: [path.join(__dirname, 'requests.js'), ...(fs.existsSync(own) ? [own] : [])],
  // Tests of one suite see what others before them changed, and know the order.
  ...(fs.existsSync(sequencer) ? { testSequencer: sequencer } : {}),
  testMatch: ['**/*.test.ts', '**/*.spec.ts'],
  // What is for other runtimes and for browsers, beside what the script leaves out.
  testPathIgnorePatterns: [
    '/node_modules/', '/example/', '/test/deno/', '/test/integration/', 'integration\\.browser\\.test\\.ts',
    ...(process.env.SUITE_IGNORE ? [process.env.SUITE_IGNORE] : []),
  ],
  silent: true,
}
