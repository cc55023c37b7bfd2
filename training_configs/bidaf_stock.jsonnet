(import 'lib/bidaf.libsonnet')('lstm')
