// Plain JavaScript for any Node: says in one line what to do when the Node that runs is too old for ours.
if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    `this is Node ${process.version} and Fondue needs 24 or newer: run "npm ci" (it brings Node 24 with the devDependencies) and then the npm script again`,
  );
  process.exit(1);
}
