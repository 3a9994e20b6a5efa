// The types of Grafana that our dashboards are made of; scripts/grafana_schema.py turns them into JSON Schema.
// `extends` gives each panel's options a name of their own: all of Grafana's are called Options and FieldConfig.
import type * as dashboard from '@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as heatmap from '@grafana/schema/dist/types/raw/composable/heatmap/panelcfg/x/types.gen';
import type * as stateTimeline from '@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
import type * as stat from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as table from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type * as timeseries from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';

export interface ClassicDashboard extends dashboard.Dashboard {}

export interface TimeseriesOptions extends timeseries.Options {}
export interface TimeseriesCustom extends timeseries.FieldConfig {}
export interface StatOptions extends stat.Options {}
export interface HeatmapOptions extends heatmap.Options {}
export interface HeatmapCustom extends heatmap.FieldConfig {}
export interface StateTimelineOptions extends stateTimeline.Options {}
export interface StateTimelineCustom extends stateTimeline.FieldConfig {}
export interface TableOptions extends table.Options {}
export interface TableCustom extends table.FieldConfig {}
