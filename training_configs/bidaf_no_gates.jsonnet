(import 'lib/bidaf.libsonnet')('lstm_no_gates')
