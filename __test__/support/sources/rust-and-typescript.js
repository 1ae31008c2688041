// Its name until all that import it say files.js.
export * from "./files.js"
