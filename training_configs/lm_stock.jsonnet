(import 'lib/lm.libsonnet').forward('lstm')
