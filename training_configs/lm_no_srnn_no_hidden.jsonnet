(import 'lib/lm.libsonnet').forward('lstm_no_srnn_no_hidden')
