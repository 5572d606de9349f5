/** A pod as it comes to admission: what the injector reads of it, and everything else, which it leaves as it is. */

/** Fields that nobody here looks into. */
export type OtherFields = Readonly<Record<string, unknown>>;

export interface HttpGet extends OtherFields {
  readonly path?: string;
  readonly port: number | string;
  /** Another address than the pod's: the kubelet asks there, and no sidecar stands between. */
  readonly host?: string;
  readonly scheme?: string;
}

export interface Handler extends OtherFields {
  readonly httpGet?: HttpGet;
  readonly tcpSocket?: OtherFields & { readonly port: number | string; readonly host?: string };
  readonly grpc?: OtherFields & { readonly port: number; readonly service?: string };
}

export interface ContainerProbe extends Handler {
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
}

export interface Lifecycle extends OtherFields {
  readonly postStart?: Handler;
  readonly preStop?: Handler;
}

export interface Container extends OtherFields {
  readonly name: string;
  readonly ports?: readonly (OtherFields & { readonly name?: string; readonly containerPort: number; readonly protocol?: string })[];
  readonly securityContext?: OtherFields & { readonly runAsUser?: number };
  readonly livenessProbe?: ContainerProbe;
  readonly readinessProbe?: ContainerProbe;
  readonly startupProbe?: ContainerProbe;
  readonly lifecycle?: Lifecycle;
}

export interface PodTemplate extends OtherFields {
  readonly metadata?: OtherFields & {
    readonly name?: string;
    readonly generateName?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly (OtherFields & { readonly kind?: string })[];
  };
  readonly spec?: OtherFields & {
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly volumes?: readonly (OtherFields & { readonly name: string })[];
    readonly hostNetwork?: boolean;
    readonly serviceAccountName?: string;
    readonly os?: OtherFields & { readonly name?: string };
    readonly nodeSelector?: Readonly<Record<string, string>>;
    readonly securityContext?: OtherFields & { readonly runAsUser?: number };
    readonly terminationGracePeriodSeconds?: number;
  };
}
