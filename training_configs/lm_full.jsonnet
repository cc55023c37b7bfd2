(import 'lib/lm.libsonnet').forward('lstm_full')
