/** Where the suite of unstorage's drivers looks for what it tests: the package, as it is published. */
export * from 'unstorage'
