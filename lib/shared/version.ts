/** The package's version; a test compares it with `package.json`. */
export const version: string = "0.1.0"
