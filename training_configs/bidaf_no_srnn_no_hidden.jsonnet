(import 'lib/bidaf.libsonnet')('lstm_no_srnn_no_hidden')
