(import 'lib/bidaf.libsonnet')('lstm_full')
