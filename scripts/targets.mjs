// The platforms that the package has a binary for, each listed once: the folders of npm/, native.cjs and the
// release workflow are compared with this list (`__test__/package/platforms.test.js`).

/**
 * `name`: of the binary and of the package's folder. `triple`: Rust's. `os`, `cpu`, `libc`: npm's. `runner`:
 * GitHub's machine that builds it; `container`: the image that it builds and tests in, if the machine has
 * another libc.
 */
export const targets = [
  {
    name: "linux-x64-gnu",
    triple: "x86_64-unknown-linux-gnu",
    os: "linux",
    cpu: "x64",
    libc: "glibc",
    runner: "ubuntu-22.04",
  },
  {
    name: "linux-arm64-gnu",
    triple: "aarch64-unknown-linux-gnu",
    os: "linux",
    cpu: "arm64",
    libc: "glibc",
    runner: "ubuntu-22.04-arm",
  },
  {
    name: "linux-x64-musl",
    triple: "x86_64-unknown-linux-musl",
    os: "linux",
    cpu: "x64",
    libc: "musl",
    runner: "ubuntu-22.04",
    container: "node:22-alpine",
  },
  {
    name: "linux-arm64-musl",
    triple: "aarch64-unknown-linux-musl",
    os: "linux",
    cpu: "arm64",
    libc: "musl",
    runner: "ubuntu-22.04-arm",
    container: "node:22-alpine",
  },
  { name: "darwin-x64", triple: "x86_64-apple-darwin", os: "darwin", cpu: "x64", runner: "macos-15-intel" },
  { name: "darwin-arm64", triple: "aarch64-apple-darwin", os: "darwin", cpu: "arm64", runner: "macos-15" },
  { name: "win32-x64", triple: "x86_64-pc-windows-msvc", os: "win32", cpu: "x64", runner: "windows-2022" },
]

/** The package of a platform. */
export const packageName = ({ name }) => `@buntime/keyval-${name}`

/** The file that a platform's package, or a checkout, holds. */
export const binaryName = ({ name }) => `keyval.${name}.node`
